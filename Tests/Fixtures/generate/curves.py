"""Loss curves of short trainings, as the fixtures hold them."""

import torch


def ten_steps(model, loss_of, learning_rate=5e-3, groups=None):
    """Losses of ten AdamW steps on the same batch, measured before each step. `groups` are the optimizer's; else all that is trained."""
    groups = groups or [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]
    parameters = [parameter for group in groups for parameter in group["params"]]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
