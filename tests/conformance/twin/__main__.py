"""A container's program that keeps every promise of the contract, but for those that FAULT names: FAULT=PNG-03,INV-13.

Standard library only. Its model sums the numbers of each CSV row; code/inference.py in the model folder replaces that.
Each promise that can be broken is broken where `faulty("ID")` stands.
"""

import sys

from faults import fault_names


def main(words):
    if words[:1] == ["serve"]:
        import serving

        return serving.main(words)
    if words == ["train"]:
        import training

        return training.main()
    sys.exit(f"serve or train, not {words}; faults: {fault_names()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
