"""Models written as other programs' files: a table of forms, a writer each; what a form cannot say is refused."""
