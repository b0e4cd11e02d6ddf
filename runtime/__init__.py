"""What runs on the camera and at the authority; never imports torch."""
