"""Networks: backbones, the segmentation network, SimCLRv2's extractor, their inputs and weight files."""
