#!/bin/sh
# What people write without reinmaker: publish.sh FOLDER DATA URL HASH_COMMAND
# Hash, make a manifest, send it, ask until it is active. Nobody looks at names, types, or at the bytes once more.
set -eu
cd "$1"
data=$2 url=$3 hash=$4
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
find fx -type f -printf '%p\t%s\n' | sort >"$made/sizes"
# Both `sha256sum` and `openssl dgst -r` write: digest, blank, blank or star, path.
find fx -type f -print0 | xargs -0 $hash | sed -E 's/^([0-9a-f]{64}) [ *](.*)$/\2\t\1/' | sort >"$made/sums"
join -t "$(printf '\t')" "$made/sizes" "$made/sums" | jq -Rn '
  {manifestId: "bench-script", version: "2026.11.23", product: "curious_kelly",
   source: {phaseDNAId: "bench", locale: "en-US", agePersona: "2-5"},
   assets: [inputs | split("\t") | {
     id: (.[0] | gsub("[^a-z0-9]+"; "-")), type: "fx", url: ("s3://lotd-reinmaker-assets/bench/" + .[0]),
     hash: .[2], bytes: (.[1] | tonumber), metadata: {}}]}' >"$made/manifest.json"
credentials=$(jq -r '.clientId + ":" + .clientSecret' "$data/client.json")
token=$(curl -sSf -u "$credentials" -d grant_type=client_credentials "$url/oauth/token" | jq -r .access_token)
curl -sSf -o "$made/answer" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
  --data-binary @"$made/manifest.json" "$url/v1/content/manifests"
until [ "$(curl -sSf -H "Authorization: Bearer $token" -H 'Prefer: wait=10' \
  "$url/v1/content/manifests/bench-script" | jq -r .status)" = active ]; do sleep 1; done
