"""Small modules in the style of torchvision's and timm's: what users bring."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class BasicBlock(nn.Module):
    def __init__(self, ins: int, outs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ins, outs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outs, outs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outs)
        self.downsample = None
        if stride > 1 or ins != outs:
            conv = nn.Conv2d(ins, outs, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outs))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """resnet18's stem, blocks and head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(x, 1))


class VGG(nn.Module):
    """vgg11's features, adaptive pooling and classifier with dropout."""

    def __init__(self) -> None:
        super().__init__()
        parts = []
        for ins, outs in ((3, 8), (8, 12), (12, 16)):
            conv = nn.Conv2d(ins, outs, 3, padding=1)
            parts += [conv, nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(64, 20), nn.ReLU(True), nn.Dropout(), nn.Linear(20, 5)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, less: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(channels, less, 1), nn.Conv2d(less, channels, 1)
        self.activation, self.scale_activation = nn.ReLU(), nn.Hardsigmoid()

    def forward(self, x):
        scale = self.activation(self.fc1(self.avgpool(x)))
        return self.scale_activation(self.fc2(scale)) * x


class MobileNet(nn.Module):
    """mobilenet_v3_small's inverted residual with squeeze-and-excite, and its head."""

    def __init__(self) -> None:
        super().__init__()
        norm = {"eps": 0.001, "momentum": 0.01}
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8, **norm), nn.Hardswish(True)
        )
        self.block = nn.Sequential(
            nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16, **norm), nn.Hardswish(True),
            nn.Conv2d(16, 16, 5, 1, 2, groups=16, bias=False), nn.BatchNorm2d(16, **norm),
            nn.ReLU6(True), SqueezeExcitation(16, 8), nn.Conv2d(16, 8, 1, bias=False),
            nn.BatchNorm2d(8, **norm),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(8, 12), nn.Hardswish(inplace=True), nn.Dropout(0.2, inplace=True),
            nn.Linear(12, 5),
        )  # fmt: skip

    def forward(self, x):
        x = self.features(x)
        x = x + self.block(x)
        return self.classifier(torch.flatten(self.avgpool(x), 1))


class DenseLayer(nn.Module):
    def __init__(self, ins: int, grown: int) -> None:
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(ins), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(ins, 2 * grown, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(2 * grown), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(2 * grown, grown, 3, padding=1, bias=False)

    def forward(self, features):
        x = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        return self.conv2(self.relu2(self.norm2(x)))


class DenseNet(nn.Module):
    """densenet121's dense block, transition and head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.norm0, self.relu0 = nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.pool0 = nn.MaxPool2d(3, 2, 1)
        self.layers = nn.ModuleList(DenseLayer(8 + 4 * i, 4) for i in range(3))
        self.transition = nn.Sequential(
            nn.BatchNorm2d(20), nn.ReLU(True), nn.Conv2d(20, 10, 1, bias=False), nn.AvgPool2d(2, 2)
        )
        self.norm5 = nn.BatchNorm2d(10)
        self.classifier = nn.Linear(10, 5)

    def forward(self, x):
        features = [self.pool0(self.relu0(self.norm0(self.conv0(x))))]
        for layer in self.layers:
            features.append(layer(features))
        out = self.norm5(self.transition(torch.cat(features, 1)))
        out = functional.adaptive_avg_pool2d(functional.relu(out, inplace=True), (1, 1))
        return self.classifier(torch.flatten(out, 1))


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(size, size, 7, padding=3, groups=size)
        self.norm = nn.LayerNorm(size, eps=1e-6)
        self.pwconv1, self.act = nn.Linear(size, 4 * size), nn.GELU()
        self.pwconv2 = nn.Linear(4 * size, size)
        self.gamma = nn.Parameter(0.3 * torch.ones(size))

    def forward(self, x):
        out = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        out = self.gamma * self.pwconv2(self.act(self.pwconv1(out)))
        return x + out.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """A patch stem, blocks, a downsampling and a normed head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, 4), LayerNorm2d(8, eps=1e-6))
        self.stage = nn.Sequential(ConvNeXtBlock(8), ConvNeXtBlock(8))
        self.down = nn.Sequential(LayerNorm2d(8, eps=1e-6), nn.Conv2d(8, 12, 2, 2))
        self.norm, self.head = nn.LayerNorm(12, eps=1e-6), nn.Linear(12, 5)

    def forward(self, x):
        x = self.down(self.stage(self.stem(x)))
        return self.head(self.norm(x.mean([-2, -1])))


class Shuffle(nn.Module):
    """shufflenet's split, shuffle and join, and odd ends: what only moves numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding="valid")
        self.half = nn.Conv2d(4, 4, 3, padding="same", groups=2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        left, right = self.conv(functional.pad(x, (0, 1, 0, 1))).chunk(2, dim=1)
        x = torch.cat([left, functional.silu(self.half(right))], dim=1)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        x = functional.leaky_relu(functional.avg_pool2d(x, 3, 2, 1), 0.2)
        x = (x * 2 - 0.5).clamp(-1, 3).amax((2, 3))
        return functional.log_softmax(self.fc(x), dim=1)


STYLES = {
    "resnet18": (ResNet, (3, 32, 32)),
    "vgg11": (VGG, (3, 32, 32)),
    "mobilenet_v3_small": (MobileNet, (3, 24, 24)),
    "densenet121": (DenseNet, (3, 32, 32)),
    "convnext": (ConvNeXt, (3, 32, 32)),
    "shuffle": (Shuffle, (3, 17, 17)),
}


def made(style: str, seed: int = 0) -> nn.Module:
    """A module with weights and statistics that are not at their start."""
    torch.manual_seed(seed)
    module = STYLES[style][0]()
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 2)
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(0, 0.2)
    return module.eval()
