"""Pages that show a whole experiment: pictures, figures and the scripts that show them, without server or network."""
