"""What a user can choose: one field of a frozen struct is one setting, declared once."""
