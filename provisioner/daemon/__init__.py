"""The composition root: builds, starts, supervises, reloads and stops the services."""
