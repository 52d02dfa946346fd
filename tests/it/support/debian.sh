#!/bin/sh
# Unpacks packages ($2 and more) of a later Debian suite into the folder $1, which is made anew; no root is needed. Where the
# packages come from is apt's own setting.
set -eu
prefix=$1
shift
suite=forky

command -v apt-get >/dev/null || { echo 'there is no apt-get' >&2; exit 1; }
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -n "$mirror" ] && [ -f "$keys" ] || { echo 'apt has no mirror of Debian' >&2; exit 1; }

rm -rf "$prefix"
mkdir -p "$prefix/apt/lists/partial" "$prefix/apt/archives/partial" "$prefix/debs"
echo "deb [signed-by=$keys] $mirror $suite main" >"$prefix/apt/sources.list"
apt() {
  apt-get -q -o Dir::State="$prefix/apt" -o Dir::State::status=/dev/null -o Dir::Cache="$prefix/apt" \
    -o Dir::Etc::sourcelist="$prefix/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o DPkg::Post-Invoke= -o APT::Update::Post-Invoke= \
    "$@" >&2
}
apt update
(cd "$prefix/debs" && apt download "$@")
for package in "$prefix"/debs/*.deb; do
  dpkg-deb -x "$package" "$prefix"
done
rm -rf "$prefix/apt" "$prefix/debs"
