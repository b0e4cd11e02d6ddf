"""The public stream: everybody sees the scene, nobody the faces; what was covered is not in it."""
