/**
 * The first words that a function's name may have: what it does (`read`), or what it says of its argument (`covers`).
 * A word goes in here when it is a verb of the field's; a participle or a noun never does.
 */
const verbs = new Set(
  `
accept accepts act add admit adopt advance affirm agree amend answer append apply approve ask
asks assemble assert assign attempt audit authenticate authorize begin believe bind blame build
calls can cause check chunk claim clean close collect commit compare compile complete concerns
confirm connect consider contains continues contradicts convert count cover covers create cut
decide decode delete demand denies deny descends describe diagnose differs dispatch does drain
draw drop empty encode end ends enforce enrol ensure enter execute expire explain fail fall fill
find finish fits flatten flush fold follow forget format forward free gather generate get gives
go grant guard halt handle has hear holds insert invite is issue join keep knows leave limit
link list listen load locate lock log look loop maintain make map mark match matches may meddle
meet merge migrate mint must narrow needs note obey open opens order pad parse pass passes pause
persist pin ping plan poll prepare present print proceed process project propose prove proves
publish put queue reach reaches read record redeem refresh refuse reject release remember remove
render renew repeat replace report request require reread reseal retry revoke roll run say
schedule sees select send set settle share should show sign sort spawn speaks spell split stage
start step stop store stream supersede survey sync take takes tally tell touch transact update
use verify view visit vouches wait wake walk was watch wrap write
`
    .trim()
    .split(/\s+/),
);

const firstWord = (name: string): string => /^[a-z0-9]+/.exec(name)?.[0] ?? name;

export const isVerbFirst = (name: string): boolean => verbs.has(firstWord(name));
