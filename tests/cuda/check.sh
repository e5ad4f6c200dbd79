#!/usr/bin/env bash
# Checks that the CUDA builds compile, on a machine without a card and without the toolkit: its compiler, headers and
# libraries come as Python wheels (2 GB on the disk) and are laid out as a CUDA_HOME.
#
#   tests/cuda/check.sh [--in FOLDER] [--link] [FEATURE..]
#
# FOLDER keeps wheels and build between runs; without it they go to a temporary one. FEATURE: cuda and cudnn unless told;
# flash-attn wants the network (CUTLASS) and takes hours. --link makes the executable, too, against a stand-in for the
# driver that says that there is no card, and paints with it. CARGO names the cargo to run, CUDA_COMPUTE_CAP the cards
# (80: Ampere and later).
set -euo pipefail
cd "$(dirname "$0")/../.."

folder="" link=no features=()
while [ $# -gt 0 ]; do
  case "$1" in
    --in) folder=$2; shift ;;
    --link) link=yes ;;
    -*) echo "unknown: $1" >&2; exit 2 ;;
    *) features+=("$1") ;;
  esac
  shift
done
[ "${#features[@]}" -gt 0 ] || features=(cuda cudnn)
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi

# CUDA's compiler comes as a wheel from version 13 on. All parts of one minor version, but cuDNN.
release=13.0
packages=(
  "nvidia-cuda-nvcc==$release.*" "nvidia-cuda-crt==$release.*" "nvidia-nvvm==$release.*" "nvidia-cuda-runtime==$release.*"
  "nvidia-cuda-cccl==$release.*" "nvidia-cuda-nvrtc==$release.*" "nvidia-cublas==13.0.*" "nvidia-curand==10.4.0.*"
)
case " ${features[*]} " in *" cudnn "*) packages+=(nvidia-cudnn-cu13) ;; esac
[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"

wheels=$(echo "$folder"/lib/python*/site-packages/nvidia)
home=$folder/cuda
rm -rf "$home"
mkdir -p "$home/lib64/stubs" "$home/include"
ln -s "$wheels"/cu13/bin "$wheels"/cu13/nvvm "$home/"
for part in "$wheels"/*/; do
  for header in "$part"include/*; do
    [ -e "$header" ] && ln -sf "$header" "$home/include/"
  done
  # The linker wants names without a version.
  for library in "$part"lib/lib*.so*; do
    [ -e "$library" ] || continue
    name=$(basename "$library")
    ln -sf "$library" "$home/lib64/$name"
    ln -sf "$library" "$home/lib64/${name%%.so*}.so"
  done
  for library in "$part"lib/*.a; do
    [ -e "$library" ] && ln -sf "$library" "$home/lib64/"
  done
done
ln -s lib64 "$home/lib"

export CUDA_HOME=$home CUDA_PATH=$home CUDA_ROOT=$home CUDA_TOOLKIT_ROOT_DIR=$home
export PATH=$home/bin:$PATH CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
# Kernels as they come, several times as fast to compile. A folder of its own keeps them out of builds that are used.
export NVCC_APPEND_FLAGS=${NVCC_APPEND_FLAGS:--Xcicc -O0 -Xptxas -O0} CARGO_TARGET_DIR=$folder/target
nvcc --version | tail -2

for feature in "${features[@]}"; do
  echo "== check: $feature"
  ${CARGO:-cargo} check --locked --features "$feature"
done

if [ "$link" = yes ]; then
  # The driver's library comes with the driver. This one has its names, and answers to all that there is no card.
  calls=$(grep -hoE 'fn cu[A-Z][A-Za-z0-9_]*' "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-*/src/driver/sys/*.rs)
  sort -u <<<"$calls" | sed 's/^fn \(.*\)/int \1(void) { return 100; }/' >"$home/driver.c"
  cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$home/lib64/stubs/libcuda.so" "$home/driver.c"
  ln -s libcuda.so "$home/lib64/stubs/libcuda.so.1"
  joined=$(IFS=,; echo "${features[*]}")
  echo "== build: $joined"
  export LIBRARY_PATH=$home/lib64:$home/lib64/stubs${LIBRARY_PATH:+:$LIBRARY_PATH}
  ${CARGO:-cargo} build --locked --release --features "$joined" --message-format json-render-diagnostics >"$home/build.json"
  program=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$home/build.json" | tail -1)
  echo "== starts, and paints without a card"
  export LD_LIBRARY_PATH=$home/lib64:$home/lib64/stubs
  "$program" paint 山 --preset quick --device cuda:0 --model "$PWD/models/xiaotu" -o "$home/one.png"
  "$program" paint 山 --preset quick --model "$PWD/models/xiaotu" -o "$home/two.png"
  if "$program" bench --quick --device cuda:0; then
    echo "a card that is not there was measured" >&2
    exit 1
  fi
fi
echo "== compiles"
