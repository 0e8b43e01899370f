#!/usr/bin/env bash
# demo.sh TORQUANT: quantizes the checked-in classifier with images of Fashion-MNIST, lowers it to the runtime, and shows
# what that costs and gains.
set -euo pipefail
torquant=$1
data=/usr/share/datasets/fashion-mnist
float=demo/fashion_mnist_resnet.pt2
int8=build/demo/fashion_mnist_resnet.int8.pt2
runtime=build/demo/fashion_mnist_resnet.tqm
mkdir -p build/demo

step() {
  printf '\n$ torquant %s\n' "$*"
  "$torquant" "$@"
}
# percent NAME FILE: a share that `torquant eval` printed.
percent() { awk -v name="$1" '$1 == name { print $2 }' "$2"; }

step quantize "$float" --recipe xnnpack-static --data "$data" -o "$int8"
step eval "$float" --data "$data" | tee build/demo/float.txt
step eval "$int8" --data "$data" | tee build/demo/int8.txt
step lower "$int8" -o "$runtime"
step eval "$runtime" --data "$data" | tee build/demo/runtime.txt

printf '\n%-8s %10s %10s %14s\n' '' 'top-1 %' 'top-5 %' 'file, bytes'
for kind in float int8 runtime; do
  printf '%-8s %10s %10s %14s\n' "$kind" "$(percent top-1 "build/demo/$kind.txt")" "$(percent top-5 "build/demo/$kind.txt")" \
    "$(stat -c %s "${!kind}")"
done
cat <<TEXT

These are the 10,000 test images of Fashion-MNIST. PyTorch loads the int8 program too (torch.export.load). To go on:

  ./dev run inspect $int8
  ./dev run inspect $runtime
  ./dev run plan $float --recipe xnnpack-static
  ./dev run quantize YOUR.pt2 --recipe xnnpack-static --data YOUR_DATA -o YOUR.int8.pt2
  ./dev run --help
TEXT
