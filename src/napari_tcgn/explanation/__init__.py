"""Why a gene is predicted where it is: what of the tissue speaks for it."""
