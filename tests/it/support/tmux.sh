#!/bin/sh
# Puts tmux into the folder $1 as bin/tmux: a later Debian suite's package with its libraries and their loader, unpacked (no
# root is needed). Where the packages come from is apt's own setting.
set -eu
prefix=$1
here=$(dirname "$0")
sh "$here/debian.sh" "$prefix" tmux '~R?exact-name(tmux)' libc6 ncurses-base || {
  echo 'install tmux, or what apt needs' >&2
  exit 1
}
# The packages' own loader and C library, as those of this system may be older.
libraries=$(dirname "$(find "$prefix/usr/lib" -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)")
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
mkdir -p "$prefix/bin"
cat >"$prefix/bin/tmux" <<SCRIPT
#!/bin/sh
exec '$loader' --library-path '$libraries' '$prefix/usr/bin/tmux' "\$@"
SCRIPT
chmod +x "$prefix/bin/tmux"
"$prefix/bin/tmux" -V
