"""What a deployment costs: instance-hours from its requests, prices that the user or AWS says, idle endpoints.

No price is written here. Called by the verbs cost, plan and status.
"""
