"""Describe what pictures show, with BLIP or a service that has the API of OpenAI."""
