# Completion of reinmaker for bash; written by `reinmaker completion bash`.
# Load it with: source <(reinmaker completion bash)
_reinmaker_environments() {
  local file line pattern='^\[env\.([A-Za-z0-9_-]+)\]'
  local -a files=("$HOME/.config/reinmaker/config.toml" "$HOME/Library/Application Support/reinmaker/config.toml")
  [[ -n "${XDG_CONFIG_HOME:-}" ]] && files=("$XDG_CONFIG_HOME/reinmaker/config.toml")
  [[ -n "${REINMAKER_CONFIG:-}" ]] && files=("$REINMAKER_CONFIG")
  for file in "${files[@]}" reinmaker.toml; do
    [[ -r "$file" ]] || continue
    while IFS= read -r line || [[ -n "$line" ]]; do
      [[ "$line" =~ $pattern && "${BASH_REMATCH[1]}" == "$1"* ]] && COMPREPLY+=("${BASH_REMATCH[1]}")
    done < "$file"
  done
}
_reinmaker_manifests() {
  local file line
  for file in "${XDG_CACHE_HOME:-$HOME/.cache}/reinmaker/manifests" "$HOME/Library/Caches/reinmaker/manifests"; do
    [[ -r "$file" ]] || continue
    while IFS= read -r line; do
      [[ "$line" == "$1"* && "$line" != *[^A-Za-z0-9._-]* ]] && COMPREPLY+=("$line")
    done < "$file"
  done
}
_reinmaker() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" verb="" words="" flags=""
  local looked_up="" takes_path=""
  COMPREPLY=()
  ((COMP_CWORD > 1)) && verb="${COMP_WORDS[1]}"
  case "$verb" in
    auth|config|local|telemetry|webhooks|spec) ((COMP_CWORD > 2)) && verb+=" ${COMP_WORDS[2]}" ;;
  esac
  case "$previous" in
    --color) COMPREPLY=($(compgen -W 'auto always never' -- "$current")); return ;;
    --allow) COMPREPLY=($(compgen -W 'magic-mismatch unreadable special-file link-outside-root case-collision unicode-collision unportable-name unmatched-file ambiguous-match broken-sidecar coverage-gap duplicate-content unknown-property asset-unreachable asset-bytes asset-hash asset-unverified assets-removed personal-name personal-email personal-phone personal-birth-date personal-address secret-old webhook-header-missing webhook-header-malformed webhook-timestamp-unreadable webhook-too-old webhook-too-new webhook-other-version webhook-secret-ended webhook-secret-not-decoded webhook-body-reserialised webhook-wrong-secret receiver-refuses-good receiver-refuses-raw receiver-refuses-rotation receiver-refuses-unknown receiver-refuses-duplicate receiver-accepts-forgery receiver-accepts-old receiver-slow receiver-redirects receiver-fails-at-once' -- "$current")); return ;;
    -e) COMPREPLY=($(compgen -W 'local staging production' -- "$current")); _reinmaker_environments "$current"; return ;;
    --env) COMPREPLY=($(compgen -W 'local staging production' -- "$current")); _reinmaker_environments "$current"; return ;;
    --status) COMPREPLY=($(compgen -W 'open delivered dead' -- "$current")); return ;;
    --verify) COMPREPLY=($(compgen -W 'available strict' -- "$current")); return ;;
    --validation) COMPREPLY=($(compgen -W 'real immediate manual' -- "$current")); return ;;
    --clock) COMPREPLY=($(compgen -W 'wall virtual' -- "$current")); return ;;
    --limits) COMPREPLY=($(compgen -W 'contract off' -- "$current")); return ;;
    --webhook-timestamp) COMPREPLY=($(compgen -W 'real clock' -- "$current")); return ;;
    --log) COMPREPLY=($(compgen -W 'text json off' -- "$current")); return ;;
    --scope) COMPREPLY=($(compgen -W 'reinmaker.content.write reinmaker.entitlement.read reinmaker.telemetry.write' -- "$current")); return ;;
    --plan) COMPREPLY=($(compgen -W 'reinmaker.game_pass reinmaker.family_pack daily_lesson.standard daily_lesson.enterprise curious_kelly.personal curious_kelly.family' -- "$current")); return ;;
    --type) COMPREPLY=($(compgen -W 'reinmaker.entitlement.updated reinmaker.content.requested reinmaker.telemetry.flushed' -- "$current")); return ;;
    --persona) COMPREPLY=($(compgen -W '2-5 6-12 13-17 18-35 36-60 61-102' -- "$current")); return ;;
    --events|--data|--config|-o|--output|--copy-plan|--ca-file|--against|--root|--receipt|--map|--secret-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --id|--product|--phase-dna|--locale|--base-url|--jobs|--only|--timeout|--deadline|--client-id|--port|--types|--forward-to|--respond|--count|--at|--set|--reason|--overlap|--endpoint|--event|--trace-id|--limit|--host|--database|--workers|--allow-host|--webhook|--allow-target|--allow-bucket|--dead-letters|--public-url|--control-port|--allow-origin|--seed|--name|--expires-at|--feature|--region|--method|--path|--operation|--client|--url|--delay|--retry-after|--skew|--times|--probability|--for|--route|--delivered|--requests|--active|--version|--since) return ;;
  esac
  case "$verb" in
    '') words='init scan build check diff publish rehearse push status list verify auth entitlements telemetry webhooks serve local health config doctor explain spec completion --version --help' ;;
    'auth') words='login status token rotate logout --help' ;;
    'config') words='show path --help' ;;
    'local') words='clock client keys decide entitlement fault request-content forget requests wait snapshot restore reset --help' ;;
    'telemetry') words='send check --help' ;;
    'webhooks') words='listen verify trigger probe endpoints rotate deliveries resend dead-letters redrive --help' ;;
    'spec') words='openapi postman schema --help' ;;
    'init') flags='--ignore-leftovers --force --dry-run --json --events -q --quiet -v --verbose --color --no-input --help' takes_path=1 ;;
    'scan') flags='--ignored --no-probe --summary --allow --watch --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'build') flags='-o --output --copy-plan --only --allow --watch --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'check') flags='--online --only --allow --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'diff') flags='--against --only --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --help' takes_path=1 ;;
    'publish') flags='--root --only --allow --dry-run --no-wait --yes --receipt --keep-going --as-new-version --push --map --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --deadline --trust-cache --help' takes_path=1 ;;
    'rehearse') flags='--root --only --allow --receipt --keep-going --as-new-version --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --deadline --trust-cache --help' takes_path=1 ;;
    'push') flags='--root --only --allow --map --dry-run --keep-going --id --product --phase-dna --locale --persona --base-url --jobs --no-cache --trust-cache -e --env --data --ca-file --deadline --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'status') flags='--wait --only --id --product --phase-dna --locale --persona --base-url --jobs --no-cache -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --deadline --help' looked_up=manifests takes_path=1 ;;
    'list') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --help' ;;
    'verify') flags='--root --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'auth login') flags='--client-id --secret-stdin -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'auth status') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'auth token') flags='--scope -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'auth rotate') flags='--secret-stdin -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'auth logout') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'entitlements') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --help' ;;
    'telemetry send') flags='--allow -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --deadline --help' takes_path=1 ;;
    'telemetry check') flags='--allow --json --events -q --quiet -v --verbose --color --config --help' takes_path=1 ;;
    'webhooks listen') flags='--port --types --forward-to --respond --once --count --secret-file --secret-stdin -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --deadline --help' ;;
    'webhooks verify') flags='--at --secret-file --secret-stdin --json --events -q --quiet -v --verbose --color --config --no-input --help' takes_path=1 ;;
    'webhooks trigger') flags='--set -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='entitlement.updated content.requested telemetry.flushed' ;;
    'webhooks probe') flags='--type --secret-file --secret-stdin --json --events -q --quiet -v --verbose --color --config --no-input --ca-file --help' ;;
    'webhooks endpoints') flags='--types --next --reason -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list add disable enable remove secret' ;;
    'webhooks rotate') flags='--overlap -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'webhooks deliveries') flags='--follow --endpoint --event --status --trace-id --limit -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'webhooks resend') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'webhooks dead-letters') flags='--endpoint --all -o --output -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list show export purge' ;;
    'webhooks redrive') flags='--endpoint --all --follow -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'serve') flags='--host --port --ephemeral --database --workers --map --verify --validation --clock --limits --allow-host --webhook --webhook-timestamp --allow-target --allow-bucket --dead-letters --tls --behind-proxy --public-url --control-port --allow-origin --seed --log --data --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local clock') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='show set advance follow' ;;
    'local client') flags='--name --scope --limit -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list add rotate limit' ;;
    'local keys') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list rotate' ;;
    'local decide') flags='--reason -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' looked_up=manifests ;;
    'local entitlement') flags='--plan --expires-at --feature --region -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list add revoke' ;;
    'local fault') flags='--method --path --operation --client --url --type --status --delay --retry-after --skew --times --probability --seed --for -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' words='list add clear' ;;
    'local request-content') flags='--phase-dna --locale --persona -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local forget') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local requests') flags='--follow --trace-id --client --route --status --limit -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local wait') flags='--delivered --dead-letters --requests --idle --active --version --since -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --timeout --help' ;;
    'local snapshot') flags='--replace --remove --list -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local restore') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'local reset') flags='-e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'health') flags='-e --env --data --trace --ca-file --json --events -q --quiet -v --verbose --color --config --help' ;;
    'config show') flags='--origin -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --jobs --timeout --deadline --help' ;;
    'config path') flags='--json --events -q --quiet -v --verbose --color --config --data --help' ;;
    'doctor') flags='--online -e --env --data --trace --ca-file --no-input --json --events -q --quiet -v --verbose --color --config --help' ;;
    'explain') flags='--json --events -q --quiet -v --verbose --color --help' words='lfs-pointer empty-file file-changed magic-mismatch unreadable special-file link-outside-root case-collision unicode-collision unportable-name unmatched-file ambiguous-match broken-sidecar coverage-gap unknown-capture schema-violation manifest-id duplicate-asset-id duplicate-asset-url duplicate-content version-not-a-date no-assets url-not-absolute url-scheme unknown-property not-i-json not-json asset-unreachable asset-bytes asset-hash asset-unverified asset-immutable url-no-object asset-too-large assets-removed drift event-invalid personal-name personal-email personal-phone personal-birth-date personal-address secret-old secret-in-file webhook-header-missing webhook-header-malformed webhook-timestamp-unreadable webhook-too-old webhook-too-new webhook-other-version webhook-secret-ended webhook-secret-not-decoded webhook-body-reserialised webhook-wrong-secret receiver-refuses-good receiver-refuses-raw receiver-refuses-rotation receiver-refuses-unknown receiver-refuses-duplicate receiver-accepts-forgery receiver-accepts-old receiver-slow receiver-redirects receiver-fails-at-once not-found method-not-allowed host-not-allowed token-missing token-invalid insufficient-scope control-refused quota-exceeded request-timeout body-too-large media-type-unsupported bad-request manifest-invalid request-invalid too-many-events manifest-not-found webhook-not-found receiver-gone secret-shown next-secret-unfetched version-conflict version-not-newer snapshot-not-found snapshot-exists snapshot-unusable snapshot-failed snapshot-unsupported server-busy server-error usage bug config-invalid config-unreadable config-missing config-exists unknown-environment folder-not-found file-not-found file-too-large not-a-folder inside-project folder-empty nothing-selected content-invalid personal-data content-differs receipt-invalid output-failed server-unreachable tls-failed plain-http answer-unusable server-failed out-of-time limited rejected credentials-missing credentials-refused credentials-unbound scope-refused secret-unusable keyring-unavailable keyring-locked discovery-failed python-too-old tls-too-old no-certificates certificate-ended few-descriptors disk-full keyring-ignored variables-ignored unknown-variable file-too-open git-lfs-missing name-unknown clock-skew schema-differs version-differs no-project local-only no-local-server port-taken data-in-use database-newer database-failed clock-not-shared dead-letters-retention dead-letters-unusable bucket-unusable bucket-credentials bucket-refused bucket-missing bucket-unreachable confirmation-needed declined interrupted unknown-code webhook-not-verified webhook-secret-missing webhook-secret-unusable capture-unreadable receiver-differs nothing-received partly-done' ;;
    'spec openapi') flags='--control -o --output --json --events -q --quiet -v --verbose --color --help' ;;
    'spec postman') flags='-o --output --json --events -q --quiet -v --verbose --color --help' ;;
    'spec schema') flags='-o --output --json --events -q --quiet -v --verbose --color --help' words='manifest auth-login auth-logout auth-rotate auth-status auth-token build check config-path config-show diff doctor entitlements error explain health init list local-client local-clock local-decide local-entitlement local-fault local-forget local-keys local-request-content local-requests local-reset local-restore local-snapshot local-wait publish push rehearse scan serve spec-openapi spec-postman spec-schema status telemetry-check telemetry-send verify webhooks-dead-letters webhooks-deliveries webhooks-endpoints webhooks-listen webhooks-probe webhooks-redrive webhooks-resend webhooks-rotate webhooks-trigger webhooks-verify' ;;
    'completion') flags='--json --events -q --quiet -v --verbose --color --help' words='bash zsh fish powershell' ;;
  esac
  if [[ "$current" == -* && -n "$flags" ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n "$words" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    [[ -n "$takes_path" ]] && COMPREPLY=($(compgen -f -- "$current"))
    [[ -n "$looked_up" ]] && "_reinmaker_$looked_up" "$current"
  fi
}
complete -o filenames -F _reinmaker reinmaker
