#!/usr/bin/env bash
# demo.sh TORQUANT: quantizes the checked-in classifier with images of Fashion-MNIST and shows what that costs and gains.
set -euo pipefail
torquant=$1
data=/usr/share/datasets/fashion-mnist
float=demo/fashion_mnist_resnet.pt2
int8=build/demo/fashion_mnist_resnet.int8.pt2
mkdir -p build/demo

step() { printf '\n$ torquant %s\n' "$*" && "$torquant" "$@"; }
# A number of `torquant eval`'s JSON object.
metric() { sed -n "s/.*\"$1\":\([0-9.e-]*\).*/\1/p" "$2"; }

step plan "$float" --recipe xnnpack-static | tail -n 1
step quantize "$float" --recipe xnnpack-static --data "$data" -o "$int8"
step eval "$float" --data "$data" --json >build/demo/float.json
step eval "$int8" --data "$data" --json >build/demo/int8.json

printf '\n%-8s %10s %10s %14s\n' '' 'top-1 %' 'top-5 %' 'file, bytes'
for kind in float int8; do
  file=${!kind}
  awk -v kind="$kind" -v top1="$(metric top1 "build/demo/$kind.json")" -v top5="$(metric top5 "build/demo/$kind.json")" \
    -v bytes="$(stat -c %s "$file")" 'BEGIN { printf "%-8s %10.2f %10.2f %14d\n", kind, 100 * top1, 100 * top5, bytes }'
done
cat <<TEXT

The 10,000 test images of Fashion-MNIST, float against int8. The int8 program is $int8:
PyTorch loads it (torch.export.load), and so does the C++ API. What to do next:

  ./dev run inspect $int8             what is in it
  ./dev run plan $float --recipe xnnpack-static   layer by layer
  ./dev run quantize YOUR.pt2 --recipe xnnpack-static --data YOUR_DATA -o YOUR.int8.pt2
  ./dev run --help
TEXT
