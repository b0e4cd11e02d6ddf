"""What hides faces by putting others in their place: its training (UU-Net, Proença 2020)."""
