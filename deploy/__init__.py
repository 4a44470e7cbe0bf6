"""The developer's cloud side: python -m deploy VERB, from the checkout's root. Never in the image.

Read in this order: `sections` and `config` (what is wanted), `requests/` (as calls of AWS, pure), `rules` and `shapes`
(what AWS would refuse), `plan` (beside what AWS has), `apply` and `wait` (done, and seen to be done), `down`.
"""
