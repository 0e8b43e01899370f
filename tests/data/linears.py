"""Makes linears.pt2, the net of the examples: two linear layers on sequences, two on their mean."""

import pathlib

import torch


class Linears(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(8, 8)
        self.fc2 = torch.nn.Linear(8, 8)
        self.fc3 = torch.nn.Linear(8, 8)
        self.fc4 = torch.nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = self.fc2(x).mean(1)
        return self.fc4(torch.relu(self.fc3(x)))


torch.manual_seed(1)
program = torch.export.export(Linears().eval(), (torch.randn(2, 6, 8),))
for node in program.graph.nodes:
    node.meta.pop("stack_trace", None)  # paths of the machine that made it
torch.export.save(program, pathlib.Path(__file__).with_name("linears.pt2"))
