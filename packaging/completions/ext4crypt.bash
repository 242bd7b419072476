# SPDX-License-Identifier: Apache-2.0
# Made by packaging/completions/generate from ext4crypt --help; do not edit.
# shellcheck shell=bash
_ext4crypt() {
	local current=$2 previous=$3 verb=_ word i
	local -A verbs options files values
	verbs['_']='enrol unlock lock status setpolicy encrypt policy passphrase recovery protectors key export import doctor adopt volume'
	options['_']='-h --help --version --socket --json'
	verbs['_ enrol']=''
	options['_ enrol']='-h --help --passphrase-fd --no-confirm --version --socket --json'
	verbs['_ unlock']=''
	options['_ unlock']='-h --help --passphrase-fd --recovery --key-file --fido2 --key --version --socket --json'
	verbs['_ lock']=''
	options['_ lock']='-h --help --user --key --wait --version --socket --json'
	verbs['_ status']=''
	options['_ status']='-h --help --user --version --socket --json'
	verbs['_ setpolicy']=''
	options['_ setpolicy']='-h --help --allow-unauthenticated --key --per-user --aead --version --socket --json'
	files['_ setpolicy']=yes
	verbs['_ encrypt']=''
	options['_ encrypt']='-h --help --allow-unauthenticated --key --user --version --socket --json'
	files['_ encrypt']=yes
	verbs['_ policy']=''
	options['_ policy']='-h --help --version --socket --json'
	files['_ policy']=yes
	verbs['_ passphrase']='change'
	options['_ passphrase']='-h --help --version --socket --json'
	verbs['_ passphrase change']=''
	options['_ passphrase change']='-h --help --passphrase-fd --recovery --key-file --fido2 --version --socket --json'
	verbs['_ recovery']='renew'
	options['_ recovery']='-h --help --version --socket --json'
	verbs['_ recovery renew']=''
	options['_ recovery renew']='-h --help --passphrase-fd --recovery --key-file --fido2 --no-confirm --version --socket --json'
	verbs['_ protectors']='list add-key-file add remove rename'
	options['_ protectors']='-h --help --version --socket --json'
	verbs['_ protectors list']=''
	options['_ protectors list']='-h --help --version --socket --json'
	verbs['_ protectors add-key-file']=''
	options['_ protectors add-key-file']='-h --help --passphrase-fd --recovery --key-file --fido2 --version --socket --json'
	files['_ protectors add-key-file']=yes
	verbs['_ protectors add']=''
	options['_ protectors add']='-h --help --fido2 --token --name --passphrase-fd --recovery --key-file --version --socket --json'
	verbs['_ protectors remove']=''
	options['_ protectors remove']='-h --help --passphrase-fd --recovery --key-file --fido2 --version --socket --json'
	files['_ protectors remove']=yes
	verbs['_ protectors rename']=''
	options['_ protectors rename']='-h --help --version --socket --json'
	files['_ protectors rename']=yes
	verbs['_ key']='list create remove share unshare'
	options['_ key']='-h --help --version --socket --json'
	verbs['_ key list']=''
	options['_ key list']='-h --help --version --socket --json'
	verbs['_ key create']=''
	options['_ key create']='-h --help --version --socket --json'
	files['_ key create']=yes
	verbs['_ key remove']=''
	options['_ key remove']='-h --help --lose-data --version --socket --json'
	files['_ key remove']=yes
	verbs['_ key share']=''
	options['_ key share']='-h --help --version --socket --json'
	files['_ key share']=yes
	verbs['_ key unshare']=''
	options['_ key unshare']='-h --help --version --socket --json'
	files['_ key unshare']=yes
	verbs['_ export']=''
	options['_ export']='-h --help --passphrase-fd --recovery --key-file --fido2 --version --socket --json'
	files['_ export']=yes
	verbs['_ import']=''
	options['_ import']='-h --help --from-volume --passphrase-fd --recovery --key-file --fido2 --as --no-confirm --version --socket --json'
	files['_ import']=yes
	verbs['_ doctor']=''
	options['_ doctor']='-h --help --all --version --socket --json'
	verbs['_ adopt']=''
	options['_ adopt']='-h --help --was --numbers --version --socket --json'
	files['_ adopt']=yes
	verbs['_ volume']='inspect verify map extract'
	options['_ volume']='-h --help --version --socket --json'
	verbs['_ volume inspect']=''
	options['_ volume inspect']='-h --help --threads --version --socket --json'
	files['_ volume inspect']=yes
	verbs['_ volume verify']=''
	options['_ volume verify']='-h --help --master-key --key-from --passphrase-fd --recovery --key-file --fido2 --threads --resume --version --socket --json'
	files['_ volume verify']=yes
	verbs['_ volume map']=''
	options['_ volume map']='-h --help --version --socket --json'
	files['_ volume map']=yes
	verbs['_ volume extract']=''
	options['_ volume extract']='-h --help --master-key --key-from --passphrase-fd --recovery --key-file --fido2 --salvage --trust-metadata --version --socket --json'
	files['_ volume extract']=yes
	values['--socket']='file'
	values['--passphrase-fd']='word'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--key']='word'
	values['--user']='word'
	values['--key']='word'
	values['--wait']='word'
	values['--user']='word'
	values['--key']='word'
	values['--aead']='word'
	values['--key']='word'
	values['--user']='word'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--fido2']='word'
	values['--token']='file'
	values['--name']='word'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--from-volume']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--as']='word'
	values['--was']='word'
	values['--numbers']='word'
	values['--threads']='word'
	values['--master-key']='file'
	values['--key-from']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	values['--threads']='word'
	values['--resume']='file'
	values['--master-key']='file'
	values['--key-from']='file'
	values['--passphrase-fd']='word'
	values['--key-file']='file'
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ -n ${values[$word]:-} ]] && i=$((i + 1)) && continue
		[[ " ${verbs[$verb]} " == *" $word "* ]] && verb="$verb $word"
	done
	COMPREPLY=()
	if [[ ${values[$previous]:-} == file ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	elif [[ -n ${values[$previous]:-} ]]; then
		return
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${options[$verb]}" -- "$current")
	elif [[ -n ${verbs[$verb]} ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${verbs[$verb]}" -- "$current")
	elif [[ -n ${files[$verb]:-} ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}
complete -o filenames -F _ext4crypt ext4crypt
