"""Read what DOCX, PPTX and XLSX have in common: the package, charts, diagrams and equations of Office Open XML."""
