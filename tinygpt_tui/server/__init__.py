"""The same engines over HTTP: an API that clients of OpenAI's know, and a page."""
