"""Lessons beside the app's tabs: a pane that says what to do, and sees when it was done."""
