# Completion of reinmaker for powershell; written by `reinmaker completion powershell`.
# Load it with: reinmaker completion powershell | Out-String | Invoke-Expression
function __reinmaker_environments {
  $files = @("$env:LOCALAPPDATA\reinmaker\config.toml", "$HOME/.config/reinmaker/config.toml")
  if ($env:XDG_CONFIG_HOME) { $files = @("$env:XDG_CONFIG_HOME/reinmaker/config.toml") }
  if ($env:REINMAKER_CONFIG) { $files = @($env:REINMAKER_CONFIG) }
  foreach ($file in $files + 'reinmaker.toml') {
    if (Test-Path -PathType Leaf $file) {
      Get-Content $file | ForEach-Object { if ($_ -match '^\[env\.([A-Za-z0-9_-]+)\]') { $Matches[1] } }
    }
  }
}
function __reinmaker_manifests {
  $cache = if ($env:XDG_CACHE_HOME) { $env:XDG_CACHE_HOME } else { "$HOME/.cache" }
  foreach ($file in "$env:LOCALAPPDATA\reinmaker\Cache\manifests", "$cache/reinmaker/manifests") {
    if (Test-Path -PathType Leaf $file) { Get-Content $file | Where-Object { $_ -match '^[A-Za-z0-9._-]+$' } }
  }
}
Register-ArgumentCompleter -Native -CommandName reinmaker -ScriptBlock {
  param($current, $ast, $position)
  $words = @{
    '' = @('init', 'scan', 'build', 'check', 'diff', 'publish', 'rehearse', 'push', 'status', 'list', 'verify', 'auth', 'entitlements', 'telemetry', 'webhooks', 'serve', 'local', 'health', 'config', 'doctor', 'explain', 'spec', 'completion')
    'auth' = @('login', 'status', 'token', 'rotate', 'logout')
    'config' = @('show', 'path')
    'local' = @('clock', 'client', 'keys', 'decide', 'entitlement', 'fault', 'request-content', 'forget', 'requests', 'wait', 'snapshot', 'restore', 'reset')
    'telemetry' = @('send', 'check')
    'webhooks' = @('listen', 'verify', 'trigger', 'probe', 'endpoints', 'rotate', 'deliveries', 'resend', 'dead-letters', 'redrive')
    'spec' = @('openapi', 'postman', 'schema')
    'init' = @('--ignore-leftovers', '--force', '--dry-run', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--no-input', '--help')
    'scan' = @('--ignored', '--no-probe', '--summary', '--allow', '--watch', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'build' = @('-o', '--output', '--copy-plan', '--only', '--allow', '--watch', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'check' = @('--online', '--only', '--allow', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'diff' = @('--against', '--only', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'publish' = @('--root', '--only', '--allow', '--dry-run', '--no-wait', '--yes', '--receipt', '--keep-going', '--as-new-version', '--push', '--map', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--deadline', '--trust-cache', '--help')
    'rehearse' = @('--root', '--only', '--allow', '--receipt', '--keep-going', '--as-new-version', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--deadline', '--trust-cache', '--help')
    'push' = @('--root', '--only', '--allow', '--map', '--dry-run', '--keep-going', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '--trust-cache', '-e', '--env', '--data', '--ca-file', '--deadline', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'status' = @('--wait', '--only', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '--jobs', '--no-cache', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--deadline', '--help')
    'list' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'verify' = @('--root', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth login' = @('--client-id', '--secret-stdin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth status' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth token' = @('--scope', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth rotate' = @('--secret-stdin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth logout' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'entitlements' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'telemetry send' = @('--allow', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--deadline', '--help')
    'telemetry check' = @('--allow', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks listen' = @('--port', '--types', '--forward-to', '--respond', '--once', '--count', '--secret-file', '--secret-stdin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--deadline', '--help')
    'webhooks verify' = @('--at', '--secret-file', '--secret-stdin', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--no-input', '--help')
    'webhooks trigger' = @('entitlement.updated', 'content.requested', 'telemetry.flushed', '--set', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks probe' = @('--type', '--secret-file', '--secret-stdin', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--no-input', '--ca-file', '--help')
    'webhooks endpoints' = @('list', 'add', 'disable', 'enable', 'remove', 'secret', '--types', '--next', '--reason', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks rotate' = @('--overlap', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks deliveries' = @('--follow', '--endpoint', '--event', '--status', '--trace-id', '--limit', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks resend' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks dead-letters' = @('list', 'show', 'export', 'purge', '--endpoint', '--all', '-o', '--output', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'webhooks redrive' = @('--endpoint', '--all', '--follow', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'serve' = @('--host', '--port', '--ephemeral', '--database', '--workers', '--map', '--verify', '--validation', '--clock', '--limits', '--allow-host', '--webhook', '--webhook-timestamp', '--allow-target', '--allow-bucket', '--dead-letters', '--tls', '--behind-proxy', '--public-url', '--control-port', '--allow-origin', '--seed', '--log', '--data', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local clock' = @('show', 'set', 'advance', 'follow', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local client' = @('list', 'add', 'rotate', 'limit', '--name', '--scope', '--limit', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local keys' = @('list', 'rotate', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local decide' = @('--reason', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local entitlement' = @('list', 'add', 'revoke', '--plan', '--expires-at', '--feature', '--region', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local fault' = @('list', 'add', 'clear', '--method', '--path', '--operation', '--client', '--url', '--type', '--status', '--delay', '--retry-after', '--skew', '--times', '--probability', '--seed', '--for', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local request-content' = @('--phase-dna', '--locale', '--persona', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local forget' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local requests' = @('--follow', '--trace-id', '--client', '--route', '--status', '--limit', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local wait' = @('--delivered', '--dead-letters', '--requests', '--idle', '--active', '--version', '--since', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'local snapshot' = @('--replace', '--remove', '--list', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local restore' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local reset' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'health' = @('-e', '--env', '--data', '--trace', '--ca-file', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'config show' = @('--origin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--jobs', '--timeout', '--deadline', '--help')
    'config path' = @('--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--data', '--help')
    'doctor' = @('--online', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'explain' = @('lfs-pointer', 'empty-file', 'file-changed', 'magic-mismatch', 'unreadable', 'special-file', 'link-outside-root', 'case-collision', 'unicode-collision', 'unportable-name', 'unmatched-file', 'ambiguous-match', 'broken-sidecar', 'coverage-gap', 'unknown-capture', 'schema-violation', 'manifest-id', 'duplicate-asset-id', 'duplicate-asset-url', 'duplicate-content', 'version-not-a-date', 'no-assets', 'url-not-absolute', 'url-scheme', 'unknown-property', 'not-i-json', 'not-json', 'asset-unreachable', 'asset-bytes', 'asset-hash', 'asset-unverified', 'asset-immutable', 'url-no-object', 'asset-too-large', 'assets-removed', 'drift', 'event-invalid', 'personal-name', 'personal-email', 'personal-phone', 'personal-birth-date', 'personal-address', 'secret-old', 'secret-in-file', 'webhook-header-missing', 'webhook-header-malformed', 'webhook-timestamp-unreadable', 'webhook-too-old', 'webhook-too-new', 'webhook-other-version', 'webhook-secret-ended', 'webhook-secret-not-decoded', 'webhook-body-reserialised', 'webhook-wrong-secret', 'receiver-refuses-good', 'receiver-refuses-raw', 'receiver-refuses-rotation', 'receiver-refuses-unknown', 'receiver-refuses-duplicate', 'receiver-accepts-forgery', 'receiver-accepts-old', 'receiver-slow', 'receiver-redirects', 'receiver-fails-at-once', 'not-found', 'method-not-allowed', 'host-not-allowed', 'token-missing', 'token-invalid', 'insufficient-scope', 'control-refused', 'quota-exceeded', 'request-timeout', 'body-too-large', 'media-type-unsupported', 'bad-request', 'manifest-invalid', 'request-invalid', 'too-many-events', 'manifest-not-found', 'webhook-not-found', 'receiver-gone', 'secret-shown', 'next-secret-unfetched', 'version-conflict', 'version-not-newer', 'snapshot-not-found', 'snapshot-exists', 'snapshot-unusable', 'snapshot-failed', 'snapshot-unsupported', 'server-busy', 'server-error', 'usage', 'bug', 'config-invalid', 'config-unreadable', 'config-missing', 'config-exists', 'unknown-environment', 'folder-not-found', 'file-not-found', 'file-too-large', 'not-a-folder', 'inside-project', 'folder-empty', 'nothing-selected', 'content-invalid', 'personal-data', 'content-differs', 'receipt-invalid', 'output-failed', 'server-unreachable', 'tls-failed', 'plain-http', 'answer-unusable', 'server-failed', 'out-of-time', 'limited', 'rejected', 'credentials-missing', 'credentials-refused', 'credentials-unbound', 'scope-refused', 'secret-unusable', 'keyring-unavailable', 'keyring-locked', 'discovery-failed', 'python-too-old', 'tls-too-old', 'no-certificates', 'certificate-ended', 'few-descriptors', 'disk-full', 'keyring-ignored', 'variables-ignored', 'unknown-variable', 'file-too-open', 'git-lfs-missing', 'name-unknown', 'clock-skew', 'schema-differs', 'version-differs', 'no-project', 'local-only', 'no-local-server', 'port-taken', 'data-in-use', 'database-newer', 'database-failed', 'clock-not-shared', 'dead-letters-retention', 'dead-letters-unusable', 'bucket-unusable', 'bucket-credentials', 'bucket-refused', 'bucket-missing', 'bucket-unreachable', 'confirmation-needed', 'declined', 'interrupted', 'unknown-code', 'webhook-not-verified', 'webhook-secret-missing', 'webhook-secret-unusable', 'capture-unreadable', 'receiver-differs', 'nothing-received', 'partly-done', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'spec openapi' = @('--control', '-o', '--output', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'spec postman' = @('-o', '--output', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'spec schema' = @('manifest', 'auth-login', 'auth-logout', 'auth-rotate', 'auth-status', 'auth-token', 'build', 'check', 'config-path', 'config-show', 'diff', 'doctor', 'entitlements', 'error', 'explain', 'health', 'init', 'list', 'local-client', 'local-clock', 'local-decide', 'local-entitlement', 'local-fault', 'local-forget', 'local-keys', 'local-request-content', 'local-requests', 'local-reset', 'local-restore', 'local-snapshot', 'local-wait', 'publish', 'push', 'rehearse', 'scan', 'serve', 'spec-openapi', 'spec-postman', 'spec-schema', 'status', 'telemetry-check', 'telemetry-send', 'verify', 'webhooks-dead-letters', 'webhooks-deliveries', 'webhooks-endpoints', 'webhooks-listen', 'webhooks-probe', 'webhooks-redrive', 'webhooks-resend', 'webhooks-rotate', 'webhooks-trigger', 'webhooks-verify', '-o', '--output', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'completion' = @('bash', 'zsh', 'fish', 'powershell', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
  }
  $values = @{
    '--color' = @('auto', 'always', 'never')
    '--allow' = @('magic-mismatch', 'unreadable', 'special-file', 'link-outside-root', 'case-collision', 'unicode-collision', 'unportable-name', 'unmatched-file', 'ambiguous-match', 'broken-sidecar', 'coverage-gap', 'duplicate-content', 'unknown-property', 'asset-unreachable', 'asset-bytes', 'asset-hash', 'asset-unverified', 'assets-removed', 'personal-name', 'personal-email', 'personal-phone', 'personal-birth-date', 'personal-address', 'secret-old', 'webhook-header-missing', 'webhook-header-malformed', 'webhook-timestamp-unreadable', 'webhook-too-old', 'webhook-too-new', 'webhook-other-version', 'webhook-secret-ended', 'webhook-secret-not-decoded', 'webhook-body-reserialised', 'webhook-wrong-secret', 'receiver-refuses-good', 'receiver-refuses-raw', 'receiver-refuses-rotation', 'receiver-refuses-unknown', 'receiver-refuses-duplicate', 'receiver-accepts-forgery', 'receiver-accepts-old', 'receiver-slow', 'receiver-redirects', 'receiver-fails-at-once')
    '-e' = @('local', 'staging', 'production')
    '--env' = @('local', 'staging', 'production')
    '--status' = @('open', 'delivered', 'dead')
    '--verify' = @('available', 'strict')
    '--validation' = @('real', 'immediate', 'manual')
    '--clock' = @('wall', 'virtual')
    '--limits' = @('contract', 'off')
    '--webhook-timestamp' = @('real', 'clock')
    '--log' = @('text', 'json', 'off')
    '--scope' = @('reinmaker.content.write', 'reinmaker.entitlement.read', 'reinmaker.telemetry.write')
    '--plan' = @('reinmaker.game_pass', 'reinmaker.family_pack', 'daily_lesson.standard', 'daily_lesson.enterprise', 'curious_kelly.personal', 'curious_kelly.family')
    '--type' = @('reinmaker.entitlement.updated', 'reinmaker.content.requested', 'reinmaker.telemetry.flushed')
    '--persona' = @('2-5', '6-12', '13-17', '18-35', '36-60', '61-102')
  }
  $typed = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($current) { $typed = @($typed | Select-Object -SkipLast 1) }
  $verb = ''
  foreach ($word in $typed) {
    $longer = "$verb $word".Trim()
    if ($words.ContainsKey($longer)) { $verb = $longer } else { break }
  }
  $offer = $words[$verb]
  if ($verb -eq 'status') { $offer += @(__reinmaker_manifests) }
  if ($verb -eq 'local decide') { $offer += @(__reinmaker_manifests) }
  if ($typed.Count -gt 0 -and $values.ContainsKey($typed[-1])) {
    $offer = $values[$typed[-1]]
    if ($typed[-1] -ceq '-e') { $offer += @(__reinmaker_environments) }
    if ($typed[-1] -ceq '--env') { $offer += @(__reinmaker_environments) }
  }
  $offer | Where-Object { $_ -like "$current*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
