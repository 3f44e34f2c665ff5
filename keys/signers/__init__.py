"""The kinds of signer, one module each; `keys.signer.load` chooses by reference."""
