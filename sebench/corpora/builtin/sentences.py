"""What the voices of the `builtin` corpus say. Written for it; no sentence stands in two splits. CC0."""

from __future__ import annotations

_TRAIN = """
The kettle had boiled twice, but nobody came to the kitchen.
She keeps a list of every bird that visits the garden.
Our train was cancelled, so we shared a taxi to the coast.
The baker opens at six and sells out before nine.
Please leave the parcel with the neighbour in number twelve.
He painted the fence green, then changed his mind and used blue.
A thin layer of ice covered the pond this morning.
The museum is closed on Mondays, except during the holidays.
Can you remember where we parked the car?
My brother repairs old radios in a shed behind the house.
The recipe asks for two eggs and a spoonful of honey.
They walked along the river until the path disappeared.
Nobody expected the vote to be finished so quickly.
The doctor said that a week of rest would be enough.
Turn left after the bridge, and then follow the signs.
The children built a castle out of cardboard boxes.
There is a small cinema above the library.
The storm took the roof off the oldest barn in the valley.
I would rather wait for the bus than walk in this rain.
Her first novel was written on the back of old envelopes.
The orchestra tuned up while the last guests found their seats.
It takes about an hour to climb the tower.
Someone has left the window open, and the papers are everywhere.
The farmer counted his sheep twice before closing the gate.
We planted three apple trees in the autumn.
The price of a ticket has doubled since last year.
He spoke so softly that the people at the back heard nothing.
The cat sleeps on the piano whenever the sun is out.
Two engineers checked the valve and wrote down the pressure.
The ship left the harbour with all its lights switched off.
Bring a warm coat, because the hall is never heated.
The teacher drew a circle and asked what it might be.
A fox crossed the road just in front of us.
The meeting was moved to Thursday at half past ten.
Every drawer in this desk has a different key.
The soup needs more salt, and perhaps a little pepper.
They found an old map folded inside the dictionary.
The lift stops on every floor, even when nobody called it.
I have never seen so many stars above the city.
The judge read the letter aloud in an even voice.
The bicycle was cheaper than the lock she bought for it.
Yesterday the whole street smelled of fresh bread.
Put the chairs in a row along the wall.
The gardener cuts the hedge on the first day of March.
We could hear the waterfall long before we saw it.
His watch is always five minutes fast, and he likes it that way.
The factory makes nothing but buttons and zips.
If the light is red, the recording has started.
The young goat jumped over the fence and ran to the beach.
Ask the driver whether this bus goes to the hospital.
Their grandmother taught them to knit when they were seven.
The report was short, clear, and entirely wrong.
A narrow staircase leads from the yard to the roof.
The violin belonged to a man who never learned to play it.
We had breakfast outside, although the wind was cold.
The clock in the hall stopped on the day they moved in.
Nine boats took part in the race, and seven came home.
The chemist keeps the blue bottles on the upper shelf.
You can borrow the ladder, but bring it back before dark.
The old road runs straight through the forest.
Her voice was calm, though her hands were shaking.
The printer is out of paper again.
On Sunday we are going to clean out the attic.
The snow melted during the night, and the stream rose.
He folded the newspaper and looked out over the fields.
The bridge was built by volunteers in a single summer.
Most of the audience had left before the second half.
The dog barked at the postman for the last time.
Keep stirring until the sauce becomes thick.
The library lends tools, games, and even a sewing machine.
A woman in a yellow raincoat waved from the platform.
The coach leaves from the square behind the town hall.
I wrote the number down, but I cannot read my own writing.
The mountains looked close enough to touch.
Our neighbours grow tomatoes on the balcony.
She answered the question before he had finished asking it.
The bell rings twice for visitors and once for deliveries.
There were no lamps in the tunnel, only a row of mirrors.
The committee agreed on everything except the colour.
Wash the berries, and leave them to dry on a towel.
The pilot announced a short delay because of fog.
He has worn the same brown hat for twenty years.
The lake is deep, cold, and full of trout.
They sold the house and bought a boat with the money.
The photograph shows four people standing in a doorway.
Somebody must have moved the boxes during the night.
The nurse opened the curtains and let in the morning.
It was the quietest street in the whole district.
The mechanic listened to the engine and shook his head.
A good knife needs sharpening once a month.
The bank on the corner has become a coffee shop.
We missed the beginning, but the ending was wonderful.
The carpenter measured the shelf three times.
In winter the ferry sails only when the weather allows.
The twins have different birthdays, by eleven minutes.
She put the letter back in the envelope without a word.
The radio played an old song that everybody knew.
The hotel has eighteen rooms and one very slow waiter.
Remember to water the plants while I am away.
The path is steep, so take your time and enjoy the view.
The mayor cut the ribbon with a pair of kitchen scissors.
He learned to swim in a river not far from here.
"""

_VALID = """
The owl returned to the same branch every evening.
We ran out of petrol within sight of the garage.
Her office looks over the market, which is noisy on Fridays.
The tailor shortened the sleeves by two centimetres.
Is there anything left of the chocolate cake?
The glacier has shrunk by half since my father was a boy.
Three of the windows face north, and the fourth is painted shut.
The captain asked for silence and pointed at the horizon.
Fold the sheet along the dotted line.
The new student speaks four languages, but rarely at all.
A row of tall poplars hides the motorway.
They closed the swimming pool for repairs in August.
The conductor collected the tickets, smiling at each passenger.
My sister found a silver coin between the floorboards.
The lecture begins at eight, so we should leave by seven.
The tide brought in a great deal of wood.
He mended the umbrella with a piece of fishing line.
Every village along this road has its own cheese.
The telephone rang for a long time in the empty flat.
Nobody has used the back door since the new year.
The potter threw away anything that was not quite round.
You will find the spare blankets under the bed.
The parade was short, but the band played all afternoon.
A light breeze moved the washing on the line.
The editor crossed out the last paragraph.
"""

_TEST = """
The lighthouse keeper waved at every ship that passed.
We counted forty steps from the cellar to the street.
The dentist has moved to a building near the station.
Her uncle collects maps of places that no longer exist.
The rain stopped, and a smell of wet leaves filled the air.
Could you pass me the scissors and the blue thread?
The comet was visible for just three nights.
He ordered tea, although everyone else was drinking coffee.
The shepherd whistled, and both dogs lay down at once.
The second verse is harder to sing than the first.
A lorry full of oranges blocked the roundabout.
They rebuilt the windmill with timber from the old pier.
Nothing grows under the walnut tree, not even grass.
The auction ended before we had found our glasses.
Her handwriting is small, neat, and impossible to read.
The plumber arrived at noon with the wrong pipe.
We watched the fireworks from the roof of the school.
The library cat has its own chair beside the window.
If you are early, wait for me under the clock.
The desert is freezing at night and burning by day.
A stranger returned my wallet, with everything still in it.
The choir rehearses in a gymnasium on Wednesday evenings.
Cut the onions finely, and fry them over a low heat.
The tunnel was dug from both ends at the same time.
My grandfather never owned a car or a telephone.
The actor forgot his lines and made up better ones.
The beekeeper wore no gloves, and he was not stung.
On the third floor there is a room without any doors.
The swallows left a fortnight early this year.
She drew a plan of the house on a paper napkin.
The vet examined the parrot, which refused to speak.
Seven people applied for the job, and five were invited.
The old quarry has filled with clear green water.
Please switch off the lamp before you lock the gate.
The cook tasted the stew and added a handful of herbs.
A long goods train rolled slowly through the station.
He carried the piano stool up the stairs by himself.
The weather map shows a warm front from the south.
They agreed to meet again when the harvest was over.
The bookshop sells more postcards than novels.
The youngest rower steers, because she sees the furthest.
Half of the village came to watch the chimney fall.
"""

_BABBLE = """
Well, I told him that the whole thing could wait until Monday.
And then she ordered the fish, which was the last one they had.
You never know with these things, do you?
We have been coming here for years, and it hardly ever changes.
Did anybody see where I put my glasses?
So he says to me, that is the best offer you will get.
I think the other place was quieter, but the food is better here.
It was about four in the morning when they finally got home.
No, really, the tickets were sold out within an hour.
Let us have another round before the kitchen closes.
My daughter starts her new job at the end of the month.
They are building flats on the field behind the church.
The traffic was dreadful, we stood still for an hour at least.
That is exactly what I said when I saw the bill.
He is a nice fellow, but he talks about nothing except cycling.
Have you heard what happened to the people next door?
I could not believe it, the whole wall was orange.
We should do this more often, it has been such a long time.
"""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line)


#: Who says it -> sentences.
SENTENCES = {
    "train": _lines(_TRAIN),
    "valid": _lines(_VALID),
    "test": _lines(_TEST),
    "babble": _lines(_BABBLE),
}
