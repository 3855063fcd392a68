"""The only training loop: phases, averaged weights, exact resume, run folders."""
