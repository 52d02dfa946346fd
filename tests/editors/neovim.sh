#!/bin/sh
# Installs Neovim 0.11 or later into the folder $1 and prints the program: the one on PATH where it is new enough, else
# the packages of a later Debian suite, unpacked (no root is needed). Where the packages come from is apt's own setting.
set -eu
prefix=$1
packages='neovim neovim-runtime libc6 libgcc-s1 libluajit-5.1-2 libluajit-5.1-common libtree-sitter0.26 libunibilium4
  libutf8proc3 libuv1t64 libmsgpack-c2 lua-lpeg lua-luv libvterm0'

# Whether a program is, and has its parsers: without them a Markdown file, the plan, cannot even be opened.
new_enough() {
  "$1" --headless -u NONE -c 'if !has("nvim-0.11") | cquit | endif' \
    -c 'lua if not vim.treesitter.language.add("markdown") then vim.cmd("cquit") end' -c 'qall!' >/dev/null 2>&1
}

found=$(command -v nvim || true)
for program in "$found" "$prefix/nvim"; do
  if [ -x "$program" ] && new_enough "$program"; then
    echo "$program"
    exit 0
  fi
done

# shellcheck disable=SC2086 # one word each
sh "$(dirname "$0")/../it/support/debian.sh" "$prefix" $packages || { echo 'install Neovim 0.11 or later' >&2; exit 1; }

# The packages' own loader and C library, as those of this system may be older.
libraries=$(dirname "$(find "$prefix/usr/lib" -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)")
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
# Neovim looks for its parsers beside the program that was started, which is the loader.
mkdir -p "$prefix/usr/lib/lib"
ln -sfn ../nvim "$prefix/usr/lib/lib/nvim"
cat >"$prefix/nvim" <<END
#!/bin/sh
export VIMRUNTIME="$prefix/usr/share/nvim/runtime"
exec "$loader" --library-path "$libraries" "$prefix/usr/bin/nvim" "\$@"
END
chmod +x "$prefix/nvim"
new_enough "$prefix/nvim" || { echo "$prefix/nvim does not run" >&2; exit 1; }
echo "$prefix/nvim"
