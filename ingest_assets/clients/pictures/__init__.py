"""Say what a picture shows: BLIP, or a service that speaks the API of OpenAI."""
