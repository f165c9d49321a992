"""Pictures over the cells of a view, where the terminal draws pictures: asking it, its protocols, and the painter."""
