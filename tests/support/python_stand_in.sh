#!/bin/sh
# Stands for CPython 3.11, its pip and mmcv's setup.py: leaves behind what they would, and a log of the calls.
log="$STAND_IN_LOG"
echo "$*" >>"$log"
case "$*" in
"-I -c "*) echo '{"version": [3, 11], "implementation": "cpython", "pip": true, "header": true}' ;;
"-I -u "*)
  echo "{\"ready\": {\"mmocr\": \"${STAND_IN_VERSION:-0.6.3}\"}}"
  cat >/dev/null
  ;;
"-m venv "*)
  mkdir -p "$3/bin"
  touch "$3/pyvenv.cfg"
  cp "$0" "$3/bin/python"
  ;;
"-m pip --version") ;;
"-m pip download "*)
  for last do :; done
  source=$(echo "$last" | sed 's/==/-/')
  dest=""
  for argument do
    [ "$previous" = --dest ] && dest=$argument
    previous=$argument
  done
  echo "$source" >"$dest/.source"
  mkdir -p "$dest/$source"
  touch "$dest/$source/setup.py"
  tar -czf "$dest/$source.tar.gz" -C "$dest" "$source"
  rm -r "$dest/$source"
  ;;
"setup.py bdist_wheel "*)
  echo "compiling in $PWD with CXX=$CXX MMCV_WITH_OPS=$MMCV_WITH_OPS MAX_JOBS=$MAX_JOBS GPUS=$CUDA_VISIBLE_DEVICES." >>"$log"
  echo "[1/2] $("$CXX" -std=c++17 -c x.cpp)"
  touch object.o
  if [ -e "$STAND_IN_FAULT" ]; then
    echo "x.cpp: fatal error: out of paper"
    exit 1
  fi
  mkdir -p "$4"
  touch "$4/$(sed 's/mmcv-full/mmcv_full/' ../.source)-cp311-cp311-linux_x86_64.whl"
  ;;
esac
