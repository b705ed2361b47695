// One of several, by name.
export interface Option {
  readonly value: string
  readonly label: string
  readonly group?: string
}

interface Props {
  readonly label: string
  readonly value: string
  readonly options: readonly Option[]
  onChoose(value: string): void
}

const OptionList = ({ options }: { readonly options: readonly Option[] }) => (
  <>{options.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}</>
)

export const Choice = ({ label, value, options, onChoose }: Props) => {
  const groups = [...new Set(options.map(({ group }) => group))]
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {groups.map((group) => {
          const members = options.filter((each) => each.group === group)
          return group === undefined
            ? <OptionList key="" options={members} />
            : <optgroup key={group} label={group}><OptionList options={members} /></optgroup>
        })}
      </select>
    </label>
  )
}
