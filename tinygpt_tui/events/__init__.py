"""What can happen, as plain data: small frozen structs without torch and without Textual."""
