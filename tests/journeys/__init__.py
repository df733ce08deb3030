"""Three newcomers, by the pages that are written for them: see scripts/journeys."""
