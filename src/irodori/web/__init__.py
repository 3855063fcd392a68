"""The server: an API for programs, and on it the studio, a page for artists.  Nothing here touches a tensor."""
