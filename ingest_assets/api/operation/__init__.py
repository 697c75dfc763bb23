"""Tell operators how the service does: health, figures and the description of the API."""
