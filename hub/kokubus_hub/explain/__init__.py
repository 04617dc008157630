"""Why a badge may or may not open a door: asked again, of what was known at any instant."""
