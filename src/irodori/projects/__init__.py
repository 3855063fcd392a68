"""Many pages and frames with the same characters: a project file, its work, and who does it."""
