"""Templates and what turns them into finished PDF files; runs in the render child."""
