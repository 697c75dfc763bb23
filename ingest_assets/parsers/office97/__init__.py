"""Read the binary formats of Office 97 to 2003 (DOC, XLS, PPT)."""
