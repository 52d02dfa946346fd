#!/bin/sh
# Puts Emacs 30, Helix 25.07, Kakoune and Vim 9 (or later ones) into the folder $1 as bin/{emacs,hx,kak,vim}, and Vim's
# plugin ALE into pack/: the programs on PATH where they are new enough, else the packages of a later Debian suite, unpacked (no
# root is needed). Where the packages come from is apt's own setting.
set -eu
prefix=$1
here=$(dirname "$0")
this=$(cksum <"$0")

# `name program`: whether the program answers, and is new enough.
new_enough() {
  [ -x "$2" ] || return 1
  case $1 in
  emacs) [ "$("$2" -Q --batch --eval '(princ (and (>= emacs-major-version 30) (require (quote eglot)) t))' 2>/dev/null)" = t ] ;;
  hx) later 'helix 25.07' "$("$2" --version 2>/dev/null)" ;;
  kak) later 'Kakoune' "$("$2" -version 2>/dev/null)" ;; # Debian's does not say which version it is
  vim) "$2" -Nu NONE -i NONE -es -c 'if !has("job") || !has("channel") || v:version < 900 | cquit | endif' -c 'qall!' </dev/null >/dev/null 2>&1 ;;
  esac
}

later() {
  case $2 in "${1%% *} "*) ;; *) return 1 ;; esac
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

[ "$(cat "$prefix/installed" 2>/dev/null)" != "$this" ] || exit 0

# What a package depends on is apt's to say (`~R`), as the names of libraries change from one suite to the next.
missing=
packages='vim-ale libc6 libgcc-s1 libstdc++6'
for name in emacs hx kak vim; do
  found=$(command -v $name || true)
  if new_enough $name "$found"; then continue; fi
  missing="$missing $name"
  case $name in
  emacs) packages="$packages emacs-nox ~R?exact-name(emacs-nox) ~R?exact-name(libgnutls30t64) ~R?exact-name(libselinux1)
    ~R?exact-name(libp11-kit0) libmpc3 libmpfr6 libisl23 libzstd1" ;;
  hx) packages="$packages hx" ;;
  kak) packages="$packages kakoune" ;;
  vim) packages="$packages vim ~R?exact-name(vim) ~R?exact-name(libselinux1)" ;;
  esac
done
set -f
# shellcheck disable=SC2086 # one word each
sh "$here/../it/support/debian.sh" "$prefix" $packages || { echo "install$missing, or what apt needs" >&2; exit 1; }
set +f

# The packages' own loader and C library, as those of this system may be older.
libraries=$(dirname "$(find "$prefix/usr/lib" -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)")
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
mkdir -p "$prefix/bin"
for name in emacs hx kak vim; do
  program=$prefix/bin/$name
  case $missing in
  *$name*) ;;
  *)
    ln -s "$(command -v $name)" "$program"
    continue
    ;;
  esac
  variables= arguments=
  case $name in
  emacs)
    binary=usr/bin/emacs-nox
    lisp=$(dirname "$(find "$prefix/usr/share/emacs" -path '*/lisp/subdirs.el' | head -n 1)")
    dump=$(find "$prefix/usr/libexec/emacs" -name '*.pdmp')
    variables="EMACSLOADPATH='$lisp' EMACSDATA='${lisp%/lisp}/etc' EMACSDOC='${lisp%/lisp}/etc' EMACSPATH='${dump%/*}'"
    arguments="--dump-file='$dump'"
    ;;
  hx) binary=usr/lib/hx/hx variables="HELIX_RUNTIME='$prefix/usr/lib/hx/runtime'" ;;
  kak) binary=usr/bin/kak variables="KAKOUNE_RUNTIME='$prefix/usr/share/kak'" ;;
  vim) binary=usr/bin/vim.basic variables="VIMRUNTIME='$(dirname "$(find "$prefix/usr/share/vim" -name defaults.vim)")'" ;;
  esac
  cat >"$program" <<SCRIPT
#!/bin/sh
${variables:+export $variables}
exec '$loader' --library-path '$libraries' '$prefix/$binary' $arguments "\$@"
SCRIPT
  chmod +x "$program"
  new_enough $name "$program" || { echo "$program does not run" >&2; exit 1; }
done
mkdir -p "$prefix/pack/ale/start"
ln -s "$prefix/usr/share/vim-ale" "$prefix/pack/ale/start/ale"
echo "$this" >"$prefix/installed"
