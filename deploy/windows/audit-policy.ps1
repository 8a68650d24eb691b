<#
.SYNOPSIS
Has this Windows computer record what the Need-to-Know agent is to tell: who logs in, who is an administrator, who opens
watched files.

.DESCRIPTION
Run it as an administrator, or as a start-up script of a group policy (it then runs as SYSTEM). It sets four things, prints
each that it changes, and changes nothing that is as it should be, so that it can be run at every start:

1. The audit policy, part by part, by identifier: names are other ones in every language. Parts that are on already stay on, and so
   do parts that are not in the list.
2. SCENoApplyLegacyAuditPolicy = 1: otherwise an audit policy of the older kind, by category, silently replaces the parts.
3. The Security log: at least 512 MiB, and old records are overwritten when it is full. A log that keeps old ones instead would
   record nothing more. A log that is larger stays as large.
4. An entry for auditing on every watched folder, for all below it: what everyone reads, writes, appends and deletes, and who
   changes rights or owner; what succeeded and what was refused. Other entries stay.

What was there before is written into a file first, at the first run only, and -Undo puts it back. What a group policy sets wins
at its next refresh: set it there then, too (see NOTES).

It does not switch on command lines of programs in the log (ProcessCreationIncludeCmdLine_Enabled). They hold passwords and
names of patients, Windows writes them down unmasked for all who may read the Security log, and everything that forwards the log
takes them along; who opened which file is told without them. The agent masks secrets in command lines that it does get.
-CommandLines switches them on: decide so with whoever answers for the privacy of the people there, and tell them. The script
never switches them off where somebody else had them on, but -Undo does where it was this script.

.PARAMETER Agent
The agent's program, which is asked for the watched folders (`ntk-agent audit-policy --json`): they stand in its configuration and
nowhere else.

.PARAMETER Folder
Folders to audit besides, or instead where no agent is there yet.

.PARAMETER State
Where what was there before is kept.

.PARAMETER CommandLines
Also have the log hold command lines of programs. Read above first.

.PARAMETER Undo
Put back what was there before the first run.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File audit-policy.ps1 -WhatIf
Prints what it would change, and changes nothing.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File audit-policy.ps1
Sets it. `ntk-agent check` then says how the computer stands, and the running agent tells when any of it is taken away.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File audit-policy.ps1 -Undo

.NOTES
By group policy, for all computers of an organisational unit:
  Computer Configuration > Policies > Windows Settings > Scripts > Startup > PowerShell Scripts: add this file, from a share that
  only administrators write to (\\domain\SYSVOL\...), not from a folder of the computer that its users can change.
  The parts can be set in the policy itself instead, and then win over this script: ... > Security Settings > Advanced Audit Policy
  Configuration; "Audit: Force audit policy subcategory settings" = Enabled below Local Policies > Security Options; the log's
  size below Administrative Templates > Windows Components > Event Log Service > Security. The folders' entries come from this
  script alone.
  What the policy sets, `auditpol /get /category:*` shows; the agent compares what is in force, whoever set it.

The list below is that of agent/data/windows_audit_policy.toml, written down again so that it can be read and reviewed where it is
used; a test of the project fails when the two differ.

Not yet run on a real Windows by its makers. Try it with -WhatIf first.
#>
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Agent = (Join-Path $env:ProgramFiles 'Need-to-Know\ntk-agent.exe'),
    [string[]] $Folder = @(),
    [string] $State = (Join-Path $env:ProgramData 'Need-to-Know\audit-policy-before'),
    [switch] $CommandLines,
    [switch] $Undo
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

# Identifier, success, failure, name. S: on every computer. -: not wanted. V: on servers only.
$Wanted = @'
0cce9210-69ae-11d9-bed3-505054503030 S - Security State Change
0cce9212-69ae-11d9-bed3-505054503030 S S System Integrity
0cce9215-69ae-11d9-bed3-505054503030 S S Logon
0cce9216-69ae-11d9-bed3-505054503030 S - Logoff
0cce921b-69ae-11d9-bed3-505054503030 S - Special Logon
0cce921c-69ae-11d9-bed3-505054503030 S S Other Logon/Logoff Events
0cce921d-69ae-11d9-bed3-505054503030 S S File System
0cce9223-69ae-11d9-bed3-505054503030 - S Handle Manipulation
0cce9224-69ae-11d9-bed3-505054503030 S S File Share
0cce9244-69ae-11d9-bed3-505054503030 V V Detailed File Share
0cce9245-69ae-11d9-bed3-505054503030 S S Removable Storage
0cce922b-69ae-11d9-bed3-505054503030 S - Process Creation
0cce922f-69ae-11d9-bed3-505054503030 S S Audit Policy Change
0cce9235-69ae-11d9-bed3-505054503030 S S User Account Management
0cce9237-69ae-11d9-bed3-505054503030 S - Security Group Management
0cce923f-69ae-11d9-bed3-505054503030 S S Credential Validation
'@

# The Security log holds at least so many bytes.
$LogBytesMin = 536870912

# Everyone; ReadData, WriteData, AppendData, Delete, ChangePermissions (WriteDac), TakeOwnership (WriteOwner).
$EveryoneSid = 'S-1-1-0'
$AuditedRights = 0x000D0007

$LsaKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
$LogKey = 'HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Security'
$CommandLineKey = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Audit'
$AuditPol = Join-Path $env:SystemRoot 'System32\auditpol.exe'
$WevtUtil = Join-Path $env:SystemRoot 'System32\wevtutil.exe'
$PolicyFile = Join-Path $State 'audit-policy.csv'
$ValuesFile = Join-Path $State 'values.json'

# Runs a program of the system; its words, or an error that says what it answered.
function Invoke-System([string] $Program, [string[]] $Arguments) {
    # What a program writes to its error output is no error of PowerShell's: its exit code decides.
    $ErrorActionPreference = 'Continue'
    $said = & $Program @Arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "$Program $($Arguments -join ' ') ended with $($LASTEXITCODE): $($said -join ' ')"
    }
    $said
}

# A number of the registry; $null where nobody set it.
function Get-Number([string] $Key, [string] $Name) {
    $found = Get-ItemProperty -LiteralPath $Key -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $found) { return $null }
    $value = $found.$Name
    # A DWORD above 2 GiB comes as a negative number.
    if ($value -is [int] -and $value -lt 0) { $value = [long] $value + 4294967296 }
    $value
}

# Sets a number of the registry, or takes it away for $null.
function Set-Number([string] $Key, [string] $Name, $Value) {
    if ($null -eq $Value) {
        Remove-ItemProperty -LiteralPath $Key -Name $Name -ErrorAction SilentlyContinue
        return
    }
    if (-not (Test-Path -LiteralPath $Key)) { $null = New-Item -Path $Key -Force }
    $null = New-ItemProperty -LiteralPath $Key -Name $Name -Value ([int] $Value) -PropertyType DWord -Force
}

# The setting of every part by its identifier, as a number: 1 success, 2 failure. Of `auditpol /backup`, since it alone writes
# numbers; /get writes words of the system's language.
function Get-Policy {
    $file = Join-Path ([System.IO.Path]::GetTempPath()) ([System.IO.Path]::GetRandomFileName())
    try {
        $null = Invoke-System $AuditPol @('/backup', "/file:$file")
        $found = @{}
        # Machine Name, Policy Target, Subcategory, Subcategory GUID, Inclusion Setting, Exclusion Setting, Setting Value.
        foreach ($line in [System.IO.File]::ReadAllLines($file)) {
            $fields = $line.Split(',')
            if ($fields.Count -ge 7 -and $fields[3] -match '^\{(.+)\}$' -and $fields[6] -match '^\d+$') {
                $guid = $fields[3].Trim('{', '}').ToLowerInvariant()
                $found[$guid] = [int] $fields[6]
            }
        }
        $found
    }
    finally {
        Remove-Item -LiteralPath $file -Force -ErrorAction SilentlyContinue -WhatIf:$false
    }
}

# The watched folders: those that the agent names, and those of -Folder.
function Get-Watched {
    $found = @($Folder)
    if (Test-Path -LiteralPath $Agent) {
        $told = (Invoke-System $Agent @('audit-policy', '--json')) -join "`n" | ConvertFrom-Json
        $found += @($told.folders)
    }
    elseif ($found.Count -eq 0) {
        Write-Warning "No agent is at $Agent and no -Folder is named: file accesses are recorded nowhere. Install the agent, name what it watches in agent.toml, and run this again."
    }
    $found | Where-Object { $_ } | Select-Object -Unique
}

function Test-Server {
    (Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\ProductOptions').ProductType -ne 'WinNT'
}

# What is audited at a path, and that alone: neither owner nor rights are read, so none of them is written back.
function Get-Audited([string] $Path) {
    $item = Get-Item -LiteralPath $Path -Force
    $audit = [System.Security.AccessControl.AccessControlSections]::Audit
    if ($PSVersionTable.PSVersion.Major -ge 6) { return [System.IO.FileSystemAclExtensions]::GetAccessControl($item, $audit) }
    $item.GetAccessControl($audit)
}

function Set-Audited([string] $Path, $Descriptor) {
    $item = Get-Item -LiteralPath $Path -Force
    if ($PSVersionTable.PSVersion.Major -ge 6) { [System.IO.FileSystemAclExtensions]::SetAccessControl($item, $Descriptor) }
    else { $item.SetAccessControl($Descriptor) }
}

function Get-AuditText([string] $Path) {
    (Get-Audited $Path).GetSecurityDescriptorSddlForm([System.Security.AccessControl.AccessControlSections]::Audit)
}

# Whoever can write into the folder decides what -Undo sets. One that somebody else made first is not used.
function Assert-OurFolder {
    $owner = (Get-Acl -LiteralPath $State).GetOwner([System.Security.Principal.SecurityIdentifier]).Value
    if ($owner -ne 'S-1-5-18' -and $owner -ne 'S-1-5-32-544') {
        throw "$State belongs to $owner and not to the administrators: look at what is in it, remove it, and run this again."
    }
}

# Writes down what was there before, once; a second run must not take our own settings for what was before.
function Save-Before([string[]] $Watched) {
    if (-not (Test-Path -LiteralPath $State)) {
        $null = New-Item -ItemType Directory -Path $State -Force
        $icacls = Join-Path $env:SystemRoot 'System32\icacls.exe'
        $null = Invoke-System $icacls @($State, '/inheritance:r', '/grant:r', '*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F')
        $null = Invoke-System $icacls @($State, '/setowner', '*S-1-5-32-544')
    }
    Assert-OurFolder
    if (-not (Test-Path -LiteralPath $PolicyFile)) {
        $null = Invoke-System $AuditPol @('/backup', "/file:$PolicyFile")
    }
    $before = if (Test-Path -LiteralPath $ValuesFile) {
        Get-Content -LiteralPath $ValuesFile -Raw | ConvertFrom-Json
    }
    else {
        [pscustomobject] @{
            legacy       = Get-Number $LsaKey 'SCENoApplyLegacyAuditPolicy'
            log_bytes    = Get-Number $LogKey 'MaxSize'
            retention    = Get-Number $LogKey 'Retention'
            auto_backup  = Get-Number $LogKey 'AutoBackupLogFiles'
            command_line = Get-Number $CommandLineKey 'ProcessCreationIncludeCmdLine_Enabled'
            folders      = @()
        }
    }
    # Folders come under watch later, too: each is written down when it is first met.
    $known = @($before.folders | ForEach-Object { $_.path })
    foreach ($path in $Watched) {
        if ((Test-Path -LiteralPath $path) -and $known -notcontains $path) {
            $before.folders = @($before.folders) + [pscustomobject] @{ path = $path; sddl = (Get-AuditText $path) }
        }
    }
    # Beside it first, so that a machine that loses power has the old file or the new one.
    $beside = "$ValuesFile.new"
    ConvertTo-Json $before -Depth 4 | Set-Content -LiteralPath $beside -Encoding UTF8
    Move-Item -LiteralPath $beside -Destination $ValuesFile -Force
}

function Set-Parts {
    $now = Get-Policy
    $server = Test-Server
    foreach ($line in $Wanted -split "`r?`n") {
        $guid, $success, $failure, $name = $line -split ' ', 4
        $bits = 0
        if ($success -eq 'S' -or ($success -eq 'V' -and $server)) { $bits = $bits -bor 1 }
        if ($failure -eq 'S' -or ($failure -eq 'V' -and $server)) { $bits = $bits -bor 2 }
        $is = if ($now.ContainsKey($guid)) { $now[$guid] -band 3 } else { 0 }
        $missing = $bits -band (-bnot $is)
        if ($missing -eq 0) { continue }
        # Only what is missing is named: what is on beyond the list stays on.
        $arguments = @('/set', "/subcategory:{$guid}")
        if ($missing -band 1) { $arguments += '/success:enable' }
        if ($missing -band 2) { $arguments += '/failure:enable' }
        $what = ($arguments | Select-Object -Skip 2) -join ' '
        if ($PSCmdlet.ShouldProcess("audit policy, $name", $what)) {
            $null = Invoke-System $AuditPol $arguments
            "audit policy: $name $what"
        }
    }
}

function Set-Legacy {
    if ((Get-Number $LsaKey 'SCENoApplyLegacyAuditPolicy') -eq 1) { return }
    if ($PSCmdlet.ShouldProcess('SCENoApplyLegacyAuditPolicy', 'set to 1')) {
        Set-Number $LsaKey 'SCENoApplyLegacyAuditPolicy' 1
        'audit policy: the older kind, by category, does not replace it any more'
    }
}

function Set-Log {
    $bytes = Get-Number $LogKey 'MaxSize'
    $kept = [bool] (Get-Number $LogKey 'Retention') -and -not (Get-Number $LogKey 'AutoBackupLogFiles')
    if ($null -eq $bytes -or $bytes -lt $LogBytesMin) {
        if ($PSCmdlet.ShouldProcess('Security log', "hold $LogBytesMin bytes")) {
            $null = Invoke-System $WevtUtil @('sl', 'Security', "/ms:$LogBytesMin")
            "Security log: holds $LogBytesMin bytes, before $bytes"
        }
    }
    if ($kept) {
        if ($PSCmdlet.ShouldProcess('Security log', 'overwrite old records when it is full')) {
            $null = Invoke-System $WevtUtil @('sl', 'Security', '/rt:false')
            'Security log: overwrites old records when it is full, instead of recording nothing'
        }
    }
}

function Set-CommandLines {
    if (-not $CommandLines -or (Get-Number $CommandLineKey 'ProcessCreationIncludeCmdLine_Enabled') -eq 1) { return }
    if ($PSCmdlet.ShouldProcess('command lines in event 4688', 'switch on')) {
        Set-Number $CommandLineKey 'ProcessCreationIncludeCmdLine_Enabled' 1
        'command lines: the log holds them from now on, secrets in them too'
    }
}

function Set-Folder([string] $Path) {
    if (-not (Test-Path -LiteralPath $Path)) {
        "${Path}: is not there; run this again when it is"
        return
    }
    $everyone = New-Object System.Security.Principal.SecurityIdentifier $EveryoneSid
    $rights = [System.Security.AccessControl.FileSystemRights] $AuditedRights
    $both = [System.Security.AccessControl.AuditFlags] 'Success, Failure'
    $isFolder = Test-Path -LiteralPath $Path -PathType Container
    $inherit = if ($isFolder) { 'ContainerInherit, ObjectInherit' } else { 'None' }
    $acl = Get-Audited $Path
    $found = @{ Success = 0; Failure = 0 }
    foreach ($rule in $acl.GetAuditRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
        $reaches = -not $isFolder -or ($rule.InheritanceFlags -eq 'ContainerInherit, ObjectInherit' -and $rule.PropagationFlags -eq 'None')
        if ($rule.IdentityReference.Value -ne $EveryoneSid -or -not $reaches) { continue }
        foreach ($half in 'Success', 'Failure') {
            if ($rule.AuditFlags.HasFlag([System.Security.AccessControl.AuditFlags] $half)) {
                $found[$half] = $found[$half] -bor [int] $rule.FileSystemRights
            }
        }
    }
    $whole = ($found.Success -band $AuditedRights) -eq $AuditedRights -and ($found.Failure -band $AuditedRights) -eq $AuditedRights
    if ($whole) { return }
    if ($PSCmdlet.ShouldProcess($Path, 'audit what everyone reads, writes, deletes, and whose rights change')) {
        $acl.AddAuditRule((New-Object System.Security.AccessControl.FileSystemAuditRule $everyone, $rights, $inherit, 'None', $both))
        Set-Audited $Path $acl
        "${Path}: accesses are recorded"
    }
}

function Undo-All {
    if (-not (Test-Path -LiteralPath $ValuesFile) -or -not (Test-Path -LiteralPath $PolicyFile)) {
        throw "Nothing was kept in ${State}: this script did not run here, or was undone."
    }
    Assert-OurFolder
    $before = Get-Content -LiteralPath $ValuesFile -Raw | ConvertFrom-Json
    if (-not $PSCmdlet.ShouldProcess($env:COMPUTERNAME, "put back what is kept in $State")) { return }
    foreach ($entry in @($before.folders)) {
        if (-not (Test-Path -LiteralPath $entry.path)) {
            "$($entry.path): is not there any more"
            continue
        }
        $acl = Get-Audited $entry.path
        # `S:` is a list without an entry, where there was none.
        $text = if ($entry.sddl) { $entry.sddl } else { 'S:' }
        $acl.SetSecurityDescriptorSddlForm($text, [System.Security.AccessControl.AccessControlSections]::Audit)
        Set-Audited $entry.path $acl
        "$($entry.path): audited as before"
    }
    if ($null -ne $before.log_bytes) { $null = Invoke-System $WevtUtil @('sl', 'Security', "/ms:$($before.log_bytes)") }
    $kept = if ($before.retention) { 'true' } else { 'false' }
    $saved = if ($before.auto_backup) { 'true' } else { 'false' }
    $null = Invoke-System $WevtUtil @('sl', 'Security', "/rt:$kept", "/ab:$saved")
    'Security log: as before'
    Set-Number $CommandLineKey 'ProcessCreationIncludeCmdLine_Enabled' $before.command_line
    Set-Number $LsaKey 'SCENoApplyLegacyAuditPolicy' $before.legacy
    # Last: it is itself recorded (4719), as long as it is on.
    $null = Invoke-System $AuditPol @('/restore', "/file:$PolicyFile")
    'audit policy: as before'
    # Kept under another name: the next run writes down anew what it finds.
    Move-Item -LiteralPath $State -Destination "$State-undone-$((Get-Date).ToString('yyyyMMdd-HHmmss'))"
}

if ($Undo) {
    Undo-All
    return
}
$watched = @(Get-Watched)
if ($PSCmdlet.ShouldProcess($State, 'write down what is there before')) { Save-Before $watched }
$said = 0
# Each line as it is done: a fault later on takes none of them away.
& {
    Set-Parts
    Set-Legacy
    Set-Log
    Set-CommandLines
    foreach ($path in $watched) { Set-Folder $path }
} | ForEach-Object { $said++; $_ }
if ($said -eq 0 -and -not $WhatIfPreference) { 'nothing to change: this computer records what it should' }
