/**
 * The first words that a function's name may have: what it does (`read`), or what it says of its argument (`covers`).
 * A word goes in here when it is a verb of the field's; a participle or a noun never does.
 */
const verbs = new Set(
  `
abort accept accepts act add admit adopt advance affirm agree amend answer append apply approve
arm ask asks assemble assert assign attempt audit authenticate authorize begin believe bind
blame build call calls can cause change check choose chunk claim clean close collect commit
compare compile complete compute concerns confirm connect consider contains continues
contradicts convert count cover covers create cut decide decode delete demand denies deny
descends describe diagnose differs dispatch does drain draw drop edit empty encode end ends
enforce enrol ensure enter evaluate execute expand expire explain fail fall fill find foresee finish
fits flatten flip flush flushes fold follow force forget format forward free gather generate get
gives go grant group guard halt handle has hash hear holds ignore import inline insert invite is
issue join keep knows leave lets limit link list listen load locate lock log look loop maintain
make map mark match matches may meddle meet memoise merge migrate mint move must name narrow
needs note obey open opens order overlaps pad pair parse pass passes pause persist pin ping plan
poll prepare present preview print proceed process project propose prove proves publish put
queue quote reach reaches read record redeem refresh refuse reject release remember remove
rename render renew repeat replace report request require reread reseal retry revoke roll route
run say schedule seal sees select send serve set settle share shorten should show sign simulate
sort spawn speaks spell split stage start step stop store stream strip subtract summarize
supersede survey sweep survey sync take takes tally tell to touch transact update use verify view visit
vouches wait wake walk warn was watch wrap write
`
    .trim()
    .split(/\s+/),
);

const firstWord = (name: string): string => /^[a-z0-9]+/.exec(name)?.[0] ?? name;

export const isVerbFirst = (name: string): boolean => verbs.has(firstWord(name));
