"""Source transferability maps: target prototypes, class entropy, and the weights of Eq. 9."""
