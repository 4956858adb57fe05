"""Names as they are printed in figures and tables."""

ASSIGNMENTS = {
    "cas": "CAs-PLA",
    "ias": "IAS-PLA",
    "softmax": "softmax-PLA",
    "posterior": "posterior-PLA",
    "maps": "MAPs-PLA",
}
"""Ways to assign pseudo-labels, the paper's by the paper's names."""
