"""What is measured of the program, and what measures it; not part of the installed package."""
