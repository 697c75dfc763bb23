"""Read Excel workbooks (XLSX)."""
