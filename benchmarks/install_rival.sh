# To be sourced at the root of the checkout: `install NAME PACKAGE...` makes the environment
# .venv/.rivals/NAME, anew where other packages are asked for than it was made of.
install() {
  place=.venv/.rivals/$1
  shift
  if [ "$(cat "$place/.installed" 2>/dev/null || true)" != "$*" ]; then
    echo "installing a rival into $place" >&2
    .venv/bin/python -m venv --clear "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$*" > "$place/.installed"
  fi
}
